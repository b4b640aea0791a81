<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology|Fields|MapTips">
  <renderer-v2 type="categorizedSymbol" attr="risk_class" symbollevels="0" forceraster="0" enableorderby="0">
    <categories>
      <category type="long" value="5" symbol="4" label="${label_5}" render="true"/>
      <category type="long" value="4" symbol="3" label="${label_4}" render="true"/>
      <category type="long" value="3" symbol="2" label="${label_3}" render="true"/>
      <category type="long" value="2" symbol="1" label="${label_2}" render="true"/>
      <category type="long" value="1" symbol="0" label="${label_1}" render="true"/>
    </categories>
    <symbols>
      <symbol type="fill" name="0" alpha="1" force_rhr="0" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
            <Option type="QString" name="color" value="${risk_1}"/>
            <Option type="QString" name="style" value="solid"/>
            <Option type="QString" name="outline_color" value="${risk_1}"/>
            <Option type="QString" name="outline_style" value="solid"/>
            <Option type="QString" name="outline_width" value="0.1"/>
            <Option type="QString" name="outline_width_unit" value="MM"/>
            <Option type="QString" name="joinstyle" value="bevel"/>
          </Option>
        </layer>
${hatch}      </symbol>
      <symbol type="fill" name="1" alpha="1" force_rhr="0" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
            <Option type="QString" name="color" value="${risk_2}"/>
            <Option type="QString" name="style" value="solid"/>
            <Option type="QString" name="outline_color" value="${risk_2}"/>
            <Option type="QString" name="outline_style" value="solid"/>
            <Option type="QString" name="outline_width" value="0.1"/>
            <Option type="QString" name="outline_width_unit" value="MM"/>
            <Option type="QString" name="joinstyle" value="bevel"/>
          </Option>
        </layer>
${hatch}      </symbol>
      <symbol type="fill" name="2" alpha="1" force_rhr="0" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
            <Option type="QString" name="color" value="${risk_3}"/>
            <Option type="QString" name="style" value="solid"/>
            <Option type="QString" name="outline_color" value="${risk_3}"/>
            <Option type="QString" name="outline_style" value="solid"/>
            <Option type="QString" name="outline_width" value="0.1"/>
            <Option type="QString" name="outline_width_unit" value="MM"/>
            <Option type="QString" name="joinstyle" value="bevel"/>
          </Option>
        </layer>
${hatch}      </symbol>
      <symbol type="fill" name="3" alpha="1" force_rhr="0" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
            <Option type="QString" name="color" value="${risk_4}"/>
            <Option type="QString" name="style" value="solid"/>
            <Option type="QString" name="outline_color" value="${risk_4}"/>
            <Option type="QString" name="outline_style" value="solid"/>
            <Option type="QString" name="outline_width" value="0.1"/>
            <Option type="QString" name="outline_width_unit" value="MM"/>
            <Option type="QString" name="joinstyle" value="bevel"/>
          </Option>
        </layer>
${hatch}      </symbol>
      <symbol type="fill" name="4" alpha="1" force_rhr="0" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
            <Option type="QString" name="color" value="${risk_5}"/>
            <Option type="QString" name="style" value="solid"/>
            <Option type="QString" name="outline_color" value="${risk_5}"/>
            <Option type="QString" name="outline_style" value="solid"/>
            <Option type="QString" name="outline_width" value="0.1"/>
            <Option type="QString" name="outline_width_unit" value="MM"/>
            <Option type="QString" name="joinstyle" value="bevel"/>
          </Option>
        </layer>
${hatch}      </symbol>
    </symbols>
  </renderer-v2>
  <layerOpacity>1</layerOpacity>
  <blendMode>0</blendMode>
${fields}
</qgis>
